select distinct
    campaigns.campaign_id,
    lower(texts.value) as mailbox
from {{ ref('stg_campaigns') }} as campaigns
cross join {{ texts_of('campaigns.email_list') }}
