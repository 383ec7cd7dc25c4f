-- What campaigns send is no answer, unless an AI agent of the workspace wrote it.
with emails as (
    select
        *,
        coalesce(thread_id, campaign_id || ' ' || lead_email, email_id) as conversation_id,
        kind = 'manual' or (kind = 'sent' and ai_agent_id is not null) as is_answer
    from {{ ref('stg_emails') }}
    where kind in ('sent', 'received', 'manual')
),

figures as (
    select
        conversation_id,
        min(case when kind = 'sent' then created_at end) as first_sent_at,
        count(case when kind = 'sent' then 1 end) as sent,
        count(case when is_reply then 1 end) as replies,
        count(case when is_automatic then 1 end) as automatic_replies,
        count(case when is_answer then 1 end) as answers,
        max(case when is_reply then created_at end) as last_reply_at,
        max(case when is_answer then created_at end) as last_answer_at
    from emails
    group by conversation_id
),

-- Campaign, lead and mailbox are those of the last reply or, without one, of the last e-mail with a campaign.
ranked as (
    select
        *,
        row_number() over (
            partition by conversation_id
            order by
                case when is_reply then 0 when campaign_id is not null then 1 else 2 end,
                created_at desc,
                email_id desc
        ) as place
    from emails
),

newest as (
    select max(created_at) as created_at
    from emails
)

select
    figures.conversation_id,
    ranked.campaign_id,
    campaigns.campaign_name,
    ranked.mailbox,
    ranked.lead_email,
    coalesce(ranked.lead_id, leads.lead_id) as lead_id,
    leads.first_name,
    leads.last_name,
    leads.company_name,
    ranked.subject,
    coalesce(ranked.interest_status, leads.interest_status) as interest_status,
    statuses.label,
    statuses.sentiment,
    figures.first_sent_at,
    figures.sent,
    figures.replies,
    figures.automatic_replies,
    figures.answers,
    figures.last_reply_at,
    figures.last_answer_at,
    figures.replies > 0 as has_replied,
    figures.replies > 0 and coalesce(figures.last_answer_at < figures.last_reply_at, true) as awaits_answer,
    case
        when figures.replies > 0 and coalesce(figures.last_answer_at < figures.last_reply_at, true)
            then {{ dbt.datediff('figures.last_reply_at', 'newest.created_at', 'day') }}
    end as days_waiting
from figures
inner join ranked on figures.conversation_id = ranked.conversation_id and ranked.place = 1
cross join newest
left join {{ ref('stg_campaigns') }} as campaigns
    on ranked.campaign_id = campaigns.campaign_id
left join {{ ref('int_campaign_leads') }} as leads
    on ranked.campaign_id = leads.campaign_id and ranked.lead_email = leads.lead_email
left join {{ ref('stg_interest_statuses') }} as statuses
    on coalesce(ranked.interest_status, leads.interest_status) = statuses.interest_status
