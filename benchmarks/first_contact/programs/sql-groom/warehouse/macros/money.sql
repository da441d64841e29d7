{% macro cents(column) %}({{ column }} / 100.0){% endmacro %}
{% macro recent(column, days) %}{{ column }} >= current_date - {{ days }}{% endmacro %}
