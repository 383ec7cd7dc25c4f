with contacts as (
    select
        *,
        cast({{ dbt.date_trunc('week', 'first_sent_at') }} as date) as week
    from {{ ref('int_contacts') }}
    where first_sent_at is not null
)

select
    contacts.campaign_id,
    campaigns.campaign_name,
    contacts.week,
    contacts.interest_status,
    case
        when contacts.interest_status is null then 'No label'
        else coalesce(statuses.label, 'Unknown label')
    end as label,
    statuses.sentiment,
    count(*) as leads,
    count(case when contacts.has_replied then 1 end) as replied,
    cast(sum(count(*)) over (partition by contacts.campaign_id, contacts.week) as {{ dbt.type_bigint() }}) as leads_of_week,
    {{ percent('count(*)', 'sum(count(*)) over (partition by contacts.campaign_id, contacts.week)') }} as share
from contacts
left join {{ ref('stg_campaigns') }} as campaigns
    on contacts.campaign_id = campaigns.campaign_id
left join {{ ref('stg_interest_statuses') }} as statuses
    on contacts.interest_status = statuses.interest_status
group by
    contacts.campaign_id,
    campaigns.campaign_name,
    contacts.week,
    contacts.interest_status,
    statuses.label,
    statuses.sentiment
