with source as (
    {{ tap_table('leads', [
        'id', 'email', 'first_name', 'last_name', 'company_name', 'campaign', 'list_id', 'status',
        'lt_interest_status', 'verification_status', 'status_summary', 'timestamp_created', 'timestamp_updated',
        'timestamp_last_contact', 'timestamp_last_reply'
    ]) }}
)

select
    id as lead_id,
    lower(email) as lead_email,
    first_name,
    last_name,
    company_name,
    campaign as campaign_id,
    list_id,
    {{ named('cast(status as integer)', {
        '-3': 'skipped', '-2': 'unsubscribed', '-1': 'bounced', '1': 'active', '2': 'paused', '3': 'completed'
    }) }} as status,
    cast(lt_interest_status as integer) as interest_status,
    {{ named('cast(verification_status as integer)', {
        '-4': 'job change', '-3': 'catch-all', '-2': 'risky', '-1': 'invalid', '0': 'not verified', '1': 'verified',
        '11': 'pending', '12': 'pending'
    }) }} as verification,
    {{ json_text("(status_summary -> 'lastStep')", 'from') }} as last_step_from,
    {{ json_text("(status_summary -> 'lastStep')", 'stepID') }} as last_step_id,
    timestamp_created as created_at,
    timestamp_updated as updated_at,
    timestamp_last_contact as last_contacted_at,
    timestamp_last_reply as last_replied_at
from source
