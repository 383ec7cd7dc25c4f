with figures as (
    select
        campaign_id,
        subsequence_id,
        step,
        variant,
        count(case when kind = 'sent' then 1 end) as sent,
        count(distinct case when kind = 'sent' then lead_email end) as leads,
        count(case when is_reply then 1 end) as replies,
        count(case when is_automatic then 1 end) as automatic_replies,
        count(distinct case when is_reply then lead_email end) as replied,
        count(distinct case when is_positive then lead_email end) as replied_positively,
        count(case when is_bounced then 1 end) as bounced
    from {{ ref('int_campaign_emails') }}
    group by campaign_id, subsequence_id, step, variant
)

select
    figures.campaign_id,
    campaigns.campaign_name,
    figures.subsequence_id,
    subsequences.subsequence_name,
    figures.step,
    figures.variant,
    figures.sent,
    figures.leads,
    figures.replies,
    figures.automatic_replies,
    figures.replied,
    figures.replied_positively,
    figures.bounced,
    {{ percent('figures.replied', 'figures.leads') }} as reply_rate,
    {{ percent('figures.replied_positively', 'figures.leads') }} as positive_reply_rate,
    {{ percent('figures.bounced', 'figures.sent') }} as bounce_rate
from figures
left join {{ ref('stg_campaigns') }} as campaigns
    on figures.campaign_id = campaigns.campaign_id
left join {{ ref('stg_subsequences') }} as subsequences
    on figures.subsequence_id = subsequences.subsequence_id
