#!/bin/sh
# Load the member workspaces of a group into one PostgreSQL.
#
#   workspaces.sh all       make the tables, and load all members that have accepted
#   workspaces.sh tables    make the tables, so that runs at one time do not
#   workspaces.sh list      print the ids of the members that have accepted
#   workspaces.sh load ID   load one
#
# RUNS_AT_A_TIME (4) runs share TAP_INSTANTLY_MAX_REQUESTS_PER_MINUTE (3000).
set -eu
cd "$(dirname "$0")/../.."
runs=${RUNS_AT_A_TIME:-4}

# Meltano keeps catalog and state of a run in its system directory, in files that have
# the plugin's name: two runs in one directory would read each other's.
own=$PWD/.meltano/workspaces/${2:-$1}
mkdir -p "$own"
ln -sfn ../../extractors ../../loaders "$own"
export MELTANO_SYS_DIR_ROOT="$own"
export TAP_INSTANTLY_REPORT_PATH="$own/report.jsonl" # or one would overwrite the other's
export MELTANO_AUTO_INSTALL=false # it would be one directory for all

case $1 in
all)
    "$0" tables
    "$0" list >"$own/members"
    # Without `sh` between them, xargs would stop at a run that is killed.
    xargs -r -n 1 -P "$runs" sh -c '
        "$0" load "$2" >"$1/$2.log" 2>&1 && exit
        echo "Workspace $2 failed: see $1/$2.log" >&2
        exit 1' "$0" "$own" <"$own/members"
    ;;
tables)
    export TAP_INSTANTLY_WORKSPACE_ID=any # for the column: nothing is requested
    meltano invoke --dump=catalog tap-instantly >"$own/catalog.json"
    meltano invoke tap-instantly --test=schema --catalog="$own/catalog.json" >"$own/schemas.jsonl"
    meltano invoke target-postgres <"$own/schemas.jsonl"
    ;;
list)
    unset TAP_INSTANTLY_WORKSPACE_ID
    export TAP_INSTANTLY__SELECT='["workspace_group_members.*"]'
    meltano invoke tap-instantly >"$own/messages.jsonl"
    python3 -c '
import json, sys
for line in sys.stdin:
    record = json.loads(line).get("record", {})
    if record.get("status") == "accepted":
        print(record["sub_workspace_id"])' <"$own/messages.jsonl"
    ;;
load)
    export TAP_INSTANTLY_WORKSPACE_ID="$2"
    export TAP_INSTANTLY_MAX_REQUESTS_PER_MINUTE=$((${TAP_INSTANTLY_MAX_REQUESTS_PER_MINUTE:-3000} / runs))
    # Meltano takes a run that was killed for running, for five minutes: hence --force.
    meltano run --force --state-id-suffix="$2" tap-instantly target-postgres || exit 1
    ;;
esac
