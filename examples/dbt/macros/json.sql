{#- What a key of an object holds, as text. -#}
{% macro json_text(column, key) -%}
    ({{ column }} ->> '{{ key }}')
{%- endmacro %}


{#- A row for each text of an array, to be cross joined: `texts.value`. -#}
{% macro texts_of(column) -%}
    {{ adapter.dispatch('texts_of')(column) }}
{%- endmacro %}

{% macro duckdb__texts_of(column) -%}
    unnest(cast({{ column }} as varchar[])) as texts (value)
{%- endmacro %}

{% macro postgres__texts_of(column) -%}
    jsonb_array_elements_text({{ column }}) as texts (value)
{%- endmacro %}
