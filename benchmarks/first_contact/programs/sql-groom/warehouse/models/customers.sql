with base as (
    select id,name,email from {{ schema_name }}.customers
), tmp_unused as (select * from {{ schema_name }}.segments)
select {{ naming.columns('base.id', 'base.name') }},
{% for kind in ['web', 'shop'] %}
  SUM(case when v.kind = '{{ kind }}' then 1 else 0 end) as {{ kind }}_visits{% if not loop.last %},{% endif %}
{% endfor %}
from base left join {{ schema_name }}.visits as v on v.customer_id = base.id
GROUP by base.id, base.name
