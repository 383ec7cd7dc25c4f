with source as (
    {{ tap_table('subsequences', ['id', 'parent_campaign', 'name']) }}
)

select
    id as subsequence_id,
    parent_campaign as campaign_id,
    name as subsequence_name
from source
