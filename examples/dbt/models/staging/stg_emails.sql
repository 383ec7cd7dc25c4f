with source as (
    {{ tap_table('emails', [
        'id', 'timestamp_created', 'timestamp_email', 'campaign_id', 'subsequence_id', 'list_id', 'lead', 'lead_id',
        'eaccount', 'thread_id', 'ue_type', 'step', 'i_status', 'ai_agent_id', 'is_unread', 'subject'
    ]) }}
),

with_step as (
    select
        *,
        case when step ~ '^[0-9]+_[0-9]+_[0-9]+$' then step end as known_step
    from source
)

select
    id as email_id,
    timestamp_created as created_at,
    timestamp_email as mailed_at,
    case ue_type
        when 1 then 'sent'
        when 2 then 'received'
        when 3 then 'manual'
        when 4 then 'scheduled'
        else 'other'
    end as kind,
    campaign_id,
    subsequence_id,
    list_id,
    lower(lead) as lead_email,
    lead_id,
    lower(eaccount) as mailbox,
    thread_id,
    cast(split_part(known_step, '_', 2) as integer) as step,
    cast(split_part(known_step, '_', 3) as integer) as variant,
    cast(i_status as integer) as interest_status,
    coalesce(ue_type = 2, false) and i_status is not distinct from 0 as is_automatic,
    coalesce(ue_type = 2, false) and i_status is distinct from 0 as is_reply,
    ai_agent_id,
    is_unread = 1 as is_unread,
    subject
from with_step
