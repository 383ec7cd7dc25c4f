with source as (
    {{ tap_table('lead_labels', ['id', 'label', 'interest_status', 'interest_status_label', 'timestamp_created']) }}
)

select
    id as label_id,
    label,
    cast(interest_status as integer) as interest_status,
    interest_status_label as sentiment,
    timestamp_created as created_at
from source
