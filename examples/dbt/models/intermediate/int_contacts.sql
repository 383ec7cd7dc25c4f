with contacts as (
    select
        campaign_id,
        lead_email,
        min(case when kind = 'sent' then created_at end) as first_sent_at,
        count(case when kind = 'sent' then 1 end) as sent,
        count(case when kind = 'received' then 1 end) as received,
        count(case when is_reply then 1 end) as replies,
        count(case when is_automatic then 1 end) as automatic_replies,
        coalesce(bool_or(is_positive), false) as has_positive_reply,
        coalesce(bool_or(is_bounced), false) as has_bounced
    from {{ ref('int_campaign_emails') }}
    group by campaign_id, lead_email
)

select
    contacts.*,
    contacts.replies > 0 as has_replied,
    leads.lead_id,
    leads.interest_status
from contacts
left join {{ ref('int_campaign_leads') }} as leads
    on contacts.campaign_id = leads.campaign_id and contacts.lead_email = leads.lead_email
