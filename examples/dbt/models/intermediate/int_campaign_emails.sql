with emails as (
    select *
    from {{ ref('stg_emails') }}
    where campaign_id is not null and kind in ('sent', 'received')
),

-- A turn is an e-mail that the campaign sent, with what came in before the next.
turns as (
    select
        *,
        count(case when kind = 'sent' then 1 end) over (
            partition by campaign_id, lead_email
            order by created_at, case kind when 'sent' then 0 else 1 end, email_id
            rows between unbounded preceding and current row
        ) as turn
    from emails
),

answered as (
    select
        *,
        max(case when kind = 'sent' then subsequence_id end) over one_turn as sent_subsequence_id,
        max(case when kind = 'sent' then step end) over one_turn as sent_step,
        max(case when kind = 'sent' then variant end) over one_turn as sent_variant,
        max(turn) over (partition by campaign_id, lead_email) as turns
    from turns
    window one_turn as (partition by campaign_id, lead_email, turn)
)

select
    answered.email_id,
    answered.created_at,
    answered.kind,
    answered.campaign_id,
    answered.lead_email,
    case when answered.step is null then answered.sent_subsequence_id else answered.subsequence_id end as subsequence_id,
    coalesce(answered.step, answered.sent_step) as step,
    coalesce(answered.variant, answered.sent_variant) as variant,
    answered.is_reply,
    answered.is_automatic,
    answered.is_reply and coalesce(statuses.sentiment = 'positive', false) as is_positive,
    answered.kind = 'sent' and answered.turn = answered.turns and coalesce(leads.status = 'bounced', false) as is_bounced
from answered
left join {{ ref('int_campaign_leads') }} as leads
    on answered.campaign_id = leads.campaign_id and answered.lead_email = leads.lead_email
left join {{ ref('stg_interest_statuses') }} as statuses
    on coalesce(answered.interest_status, leads.interest_status) = statuses.interest_status
