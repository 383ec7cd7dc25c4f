with source as (
    {{ tap_table('accounts', [
        'email', 'first_name', 'last_name', 'status', 'status_message', 'warmup_status', 'stat_warmup_score',
        'daily_limit', 'timestamp_created', 'timestamp_updated'
    ]) }}
)

select
    lower(email) as mailbox,
    first_name,
    last_name,
    {{ named('cast(status as integer)', {
        '-3': 'sending fails', '-2': 'soft bounces', '-1': 'no connection', '1': 'active', '2': 'paused',
        '3': 'maintenance'
    }) }} as status,
    status < 0 as is_broken,
    {{ json_text('status_message', 'response') }} as last_error,
    {{ named('cast(warmup_status as integer)', {
        '-3': 'suspended', '-2': 'spam folder not found', '-1': 'banned', '0': 'paused', '1': 'active'
    }) }} as warmup_status,
    warmup_status < 0 as is_warmup_broken,
    stat_warmup_score as warmup_score,
    cast(daily_limit as integer) as daily_limit,
    timestamp_created as created_at,
    timestamp_updated as updated_at
from source
