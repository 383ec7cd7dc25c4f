with source as (
    {{ tap_table('campaigns', [
        'id', 'name', 'status', 'timestamp_created', 'timestamp_updated', 'daily_limit', 'email_list',
        'campaign_schedule'
    ]) }}
)

select
    id as campaign_id,
    name as campaign_name,
    {{ named('cast(status as integer)', {
        '-99': 'account suspended', '-2': 'bounce protection', '-1': 'mailboxes unhealthy', '0': 'draft',
        '1': 'active', '2': 'paused', '3': 'completed', '4': 'running subsequences'
    }) }} as status,
    timestamp_created as created_at,
    timestamp_updated as updated_at,
    cast(daily_limit as integer) as daily_limit,
    cast({{ json_text('campaign_schedule', 'start_date') }} as date) as starts_on,
    cast({{ json_text('campaign_schedule', 'end_date') }} as date) as ends_on,
    email_list
from source
