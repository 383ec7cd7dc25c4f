select
    conversation_id,
    campaign_id,
    campaign_name,
    mailbox,
    lead_email,
    lead_id,
    first_name,
    last_name,
    company_name,
    subject,
    interest_status,
    label,
    sentiment,
    replies,
    last_reply_at,
    last_answer_at,
    days_waiting
from {{ ref('conversations') }}
where awaits_answer
