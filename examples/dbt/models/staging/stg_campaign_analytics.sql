with source as (
    {{ tap_table('campaign_analytics', [
        'campaign_id', 'emails_sent_count', 'new_leads_contacted_count', 'reply_count', 'reply_count_unique',
        'reply_count_automatic', 'reply_count_automatic_unique', 'bounced_count'
    ]) }}
)

select
    campaign_id,
    emails_sent_count as sent,
    new_leads_contacted_count as leads,
    reply_count as received,
    reply_count_unique as replied,
    reply_count_automatic as automatic_replies,
    reply_count_automatic_unique as replied_automatically,
    bounced_count as bounced
from source
