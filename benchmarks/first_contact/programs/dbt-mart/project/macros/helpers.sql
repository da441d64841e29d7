{% macro clean_name(column) %}upper(trim({{ column }})){% endmacro %}

{% macro dbt_utils_statuses() %}{{ return(['placed', 'shipped', 'returned']) }}{% endmacro %}

{% macro log_sizes(relation) %}
  {% if execute %}{% set sizes = run_query("select count(*) from " ~ relation) %}
  {{ log("orders: " ~ sizes.columns[0].values()[0], info=true) }}{% endif %}
{% endmacro %}

{% test at_least(model, column_name, minimum) %}
select {{ column_name }} from {{ model }} where {{ column_name }} < {{ minimum }}
{% endtest %}
