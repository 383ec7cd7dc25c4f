{#- A part in percent of a whole, to one decimal; null of nothing. -#}
{% macro percent(part, whole) -%}
    cast(round(cast(100.0 * ({{ part }}) / nullif({{ whole }}, 0) as numeric(18, 6)), 1) as numeric(18, 1))
{%- endmacro %}
