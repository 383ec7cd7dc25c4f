-- A campaign has an address once; should Instantly have it twice, the lead changed last counts.
with ranked as (
    select
        *,
        row_number() over (
            partition by campaign_id, lead_email
            order by updated_at desc nulls last, lead_id
        ) as place
    from {{ ref('stg_leads') }}
    where campaign_id is not null and lead_email is not null
)

select
    campaign_id,
    lead_email,
    lead_id,
    first_name,
    last_name,
    company_name,
    status,
    interest_status
from ranked
where place = 1
