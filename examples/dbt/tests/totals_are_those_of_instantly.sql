-- Campaigns whose totals, counted from e-mails, are not those of `campaign_analytics`.
{% for figure in ['sent', 'leads', 'automatic_replies', 'replied_automatically', 'replied'] %}
select
    campaign_id,
    campaign_name,
    '{{ figure }}' as figure,
    {{ figure }} as counted,
    reported_{{ figure }} as reported
from {{ ref('campaign_totals') }}
where abs({{ figure }} - reported_{{ figure }}) > {{ var('totals_tolerance') }}
{{ 'union all' if not loop.last }}
{% endfor %}
