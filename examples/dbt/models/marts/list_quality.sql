with members as (
    select
        *,
        coalesce(verification, 'not verified') as result
    from {{ ref('stg_leads') }}
    where list_id is not null
),

campaigns as (
    select
        lead_email,
        bool_or(status = 'bounced') as has_bounced
    from {{ ref('int_campaign_leads') }}
    group by lead_email
),

figures as (
    select
        members.list_id,
        count(*) as leads,
        count(*) - count(distinct members.lead_email) as duplicates,
        {%- for result in ['verified', 'invalid', 'risky', 'catch-all', 'job change', 'pending', 'not verified'] %}
        count(case when members.result = '{{ result }}' then 1 end) as {{ result | replace('-', '_') | replace(' ', '_') }},
        {%- endfor %}
        count(campaigns.lead_email) as in_campaigns,
        count(case when campaigns.has_bounced then 1 end) as bounced_in_campaigns
    from members
    left join campaigns on members.lead_email = campaigns.lead_email
    group by members.list_id
)

select
    lists.list_id,
    lists.list_name,
    lists.created_at,
    {%- for figure in [
        'leads', 'duplicates', 'verified', 'invalid', 'risky', 'catch_all', 'job_change', 'pending', 'not_verified',
        'in_campaigns', 'bounced_in_campaigns'
    ] %}
    coalesce(figures.{{ figure }}, 0) as {{ figure }},
    {%- endfor %}
    {{ percent('figures.verified', 'figures.leads') }} as verified_rate,
    {{ percent('figures.invalid', 'figures.leads') }} as invalid_rate
from {{ ref('stg_lead_lists') }} as lists
left join figures on lists.list_id = figures.list_id
