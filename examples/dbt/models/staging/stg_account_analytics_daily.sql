with source as (
    {{ tap_table('account_analytics_daily', [
        'date', 'email_account', 'sent', 'bounced', 'unique_replies', 'unique_replies_automatic'
    ]) }}
)

select
    lower(email_account) as mailbox,
    "date" as day,
    sent,
    bounced,
    unique_replies as replies,
    unique_replies_automatic as automatic_replies
from source
