with source as (
    {{ tap_table('lead_lists', ['id', 'name', 'timestamp_created']) }}
)

select
    id as list_id,
    name as list_name,
    timestamp_created as created_at
from source
