{#- Columns of one of the tap's tables, each of the type that the tap's schema gives
    it, whatever the loader has made of it. A column that is not there is null. -#}
{% macro tap_table(table, columns) %}
    {%- set wanted = source('instantly', table) -%}
    {%- if execute -%}
        {%- set relation = load_relation(wanted) -%}
        {%- if not relation and var('missing_tables') != 'empty' -%}
            {%- do exceptions.raise_compiler_error(
                'There is no table ' ~ wanted ~ ': select the stream ' ~ table
                ~ ' and run the tap, or set the variable missing_tables to empty.'
            ) -%}
        {%- endif -%}
        {%- set loaded = {} -%}
        {%- if relation -%}
            {%- for column in adapter.get_columns_in_relation(relation) -%}
                {%- do loaded.update({column.name: column.dtype | lower}) -%}
            {%- endfor -%}
        {%- endif -%}
        {%- set declared = {} -%}
        {%- for node in graph.sources.values() if node.source_name == 'instantly' and node.name == table -%}
            {%- do declared.update(node.columns) -%}
        {%- endfor -%}
        select
        {%- for column in columns %}
            {{ typed(column, declared[column].data_type, loaded.get(column)) }} as {{ adapter.quote(column) }}
            {%- if not loop.last %},{% endif -%}
        {%- endfor %}
        {%- if relation %}
        from {{ relation }}
            {%- if '_sdc_deleted_at' in loaded %}
        where _sdc_deleted_at is null
            {%- endif %}
        {%- else %}
        where false
        {%- endif %}
    {%- endif -%}
{% endmacro %}


{#- A column as a type of the tap's schema. Timestamps are UTC and carry no zone. -#}
{% macro typed(column, kind, loaded_as) %}
    {%- set type = {
        'text': dbt.type_string(),
        'number': 'double precision',
        'integer': dbt.type_bigint(),
        'boolean': dbt.type_boolean(),
        'timestamp': 'timestamp',
        'date': 'date',
        'json': 'jsonb' if target.type == 'postgres' else 'json',
    }[kind] -%}
    {%- set name = adapter.quote(column) -%}
    {%- if not loaded_as -%}
        cast(null as {{ type }})
    {%- elif kind == 'timestamp' and ('with time zone' in loaded_as or 'char' in loaded_as or loaded_as == 'text') -%}
        cast({{ name }} as timestamp with time zone) at time zone 'UTC'
    {%- elif kind == 'json' and ('array' in loaded_as or '[]' in loaded_as or 'struct' in loaded_as) -%}
        to_{{ type }}({{ name }})
    {%- else -%}
        cast({{ name }} as {{ type }})
    {%- endif -%}
{% endmacro %}
