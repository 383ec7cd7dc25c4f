select
    interest_status,
    label,
    sentiment,
    true as is_built_in
from {{ ref('built_in_interest_statuses') }}

union all

select
    interest_status,
    label,
    sentiment,
    false as is_built_in
from {{ ref('stg_lead_labels') }}
where interest_status not between -4 and 4
