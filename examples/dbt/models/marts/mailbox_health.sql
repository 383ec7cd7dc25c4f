with days as (
    select
        *,
        max(day) over () as last_day
    from {{ ref('stg_account_analytics_daily') }}
),

sending as (
    select
        mailbox,
        max(case when sent > 0 then day end) as last_sent_on,
        {%- for period, condition in {'28_days': 'day > ' ~ dbt.dateadd('day', -28, 'last_day'), 'ever': 'true'}.items() %}
        {%- for figure in ['sent', 'bounced', 'replies', 'automatic_replies'] %}
        cast(coalesce(sum(case when {{ condition }} then {{ figure }} end), 0) as {{ dbt.type_bigint() }})
            as {{ figure }}_{{ period }},
        {%- endfor %}
        {%- endfor %}
        max(last_day) as last_day
    from days
    group by mailbox
),

warmup_days as (
    select
        *,
        max(day) over () as last_day
    from {{ ref('stg_warmup_analytics') }}
),

warmup as (
    select
        mailbox,
        cast(sum(sent) as {{ dbt.type_bigint() }}) as sent,
        cast(sum(landed_inbox) as {{ dbt.type_bigint() }}) as landed_inbox,
        cast(sum(landed_spam) as {{ dbt.type_bigint() }}) as landed_spam
    from warmup_days
    where day > {{ dbt.dateadd('day', -7, 'last_day') }}
    group by mailbox
),

campaigns as (
    select
        mailboxes.mailbox,
        count(*) as campaigns,
        count(case when campaigns.status = 'active' then 1 end) as active_campaigns
    from {{ ref('stg_campaign_mailboxes') }} as mailboxes
    inner join {{ ref('stg_campaigns') }} as campaigns
        on mailboxes.campaign_id = campaigns.campaign_id
    group by mailboxes.mailbox
),

joined as (
    select
        accounts.mailbox,
        accounts.status,
        accounts.last_error,
        accounts.warmup_status,
        accounts.warmup_score,
        accounts.daily_limit,
        coalesce(campaigns.campaigns, 0) as campaigns,
        coalesce(campaigns.active_campaigns, 0) as active_campaigns,
        sending.last_sent_on,
        {%- for period in ['28_days', 'ever'] %}
        {%- for figure in ['sent', 'bounced', 'replies', 'automatic_replies'] %}
        coalesce(sending.{{ figure }}_{{ period }}, 0) as {{ figure }}_{{ period }},
        {%- endfor %}
        {{ percent('sending.bounced_' ~ period, 'sending.sent_' ~ period) }} as bounce_rate_{{ period }},
        {%- endfor %}
        coalesce(warmup.sent, 0) as warmup_sent_7_days,
        {{ percent('warmup.landed_inbox', 'warmup.landed_inbox + warmup.landed_spam') }} as warmup_inbox_rate_7_days,
        accounts.is_broken,
        accounts.is_warmup_broken
    from {{ ref('stg_accounts') }} as accounts
    left join sending on accounts.mailbox = sending.mailbox
    left join warmup on accounts.mailbox = warmup.mailbox
    left join campaigns on accounts.mailbox = campaigns.mailbox
)

select
    *,
    case
        when is_broken then status
        when is_warmup_broken then 'warm-up: ' || warmup_status
        when bounce_rate_28_days > {{ var('max_bounce_rate') }} then 'bounces'
    end as problem
from joined
