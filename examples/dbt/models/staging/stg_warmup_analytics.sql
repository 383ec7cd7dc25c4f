with source as (
    {{ tap_table('warmup_analytics', ['email', 'date', 'sent', 'landed_inbox', 'landed_spam', 'health_score']) }}
)

select
    lower(email) as mailbox,
    "date" as day,
    cast(sent as integer) as sent,
    cast(landed_inbox as integer) as landed_inbox,
    cast(coalesce(landed_spam, 0) as integer) as landed_spam,
    health_score
from source
