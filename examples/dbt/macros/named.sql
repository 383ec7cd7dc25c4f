{#- The name of a code; a code without one as it is. -#}
{% macro named(column, names) -%}
    case {{ column }}
        {%- for code, name in names.items() %}
        when {{ code }} then '{{ name }}'
        {%- endfor %}
        else cast({{ column }} as {{ dbt.type_string() }})
    end
{%- endmacro %}
