select
    c.country,
    count(*) as orders,
    cast(sum(to_base(o.amount, r.rate)) as decimal(12, 2)) as net,
    cast(sum(to_base(o.amount, r.rate)) * (1 + {{ var('vat') }}) as decimal(12, 2)) as gross,
    {% for status in dbt_utils_statuses() -%}
    count(*) filter (where o.status = '{{ status }}') as {{ status }}{{ "," if not loop.last }}
    {% endfor %}
from {{ ref('stg_orders') }} o
join {{ ref('stg_customers') }} c using (customer_id)
join {{ source('rates', 'exchange') }} r on r.currency = c.currency
group by 1
