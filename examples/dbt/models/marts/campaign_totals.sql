with figures as (
    select
        campaign_id,
        cast(sum(sent) as {{ dbt.type_bigint() }}) as sent,
        count(case when sent > 0 then 1 end) as leads,
        cast(sum(received) as {{ dbt.type_bigint() }}) as received,
        cast(sum(automatic_replies) as {{ dbt.type_bigint() }}) as automatic_replies,
        count(case when automatic_replies > 0 then 1 end) as replied_automatically,
        count(case when has_replied then 1 end) as replied,
        count(case when has_positive_reply then 1 end) as replied_positively,
        count(case when has_bounced then 1 end) as bounced
    from {{ ref('int_contacts') }}
    group by campaign_id
)

select
    campaigns.campaign_id,
    campaigns.campaign_name,
    campaigns.status,
    {%- for figure in [
        'sent', 'leads', 'received', 'automatic_replies', 'replied_automatically', 'replied', 'replied_positively',
        'bounced'
    ] %}
    coalesce(figures.{{ figure }}, 0) as {{ figure }},
    {%- endfor %}
    {{ percent('figures.replied', 'figures.leads') }} as reply_rate,
    {{ percent('figures.replied_positively', 'figures.leads') }} as positive_reply_rate,
    {{ percent('figures.bounced', 'figures.sent') }} as bounce_rate,
    {%- for figure in [
        'sent', 'leads', 'received', 'automatic_replies', 'replied_automatically', 'replied', 'bounced'
    ] %}
    reported.{{ figure }} as reported_{{ figure }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref('stg_campaigns') }} as campaigns
left join figures on campaigns.campaign_id = figures.campaign_id
left join {{ ref('stg_campaign_analytics') }} as reported on campaigns.campaign_id = reported.campaign_id
