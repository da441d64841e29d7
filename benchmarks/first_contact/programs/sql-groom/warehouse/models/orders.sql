select o.id, o.customer_id,
   {{ cents('o.amount') }} as amount , COUNT(l.id) lines
from {{ naming.staging(schema_name, 'orders') }} as o
left join {{ naming.staging(schema_name, 'lines') }} l on l.order_id = o.id
where o.created_at >= '{{ start_date }}' and {{ recent('o.created_at', 30) }}
group by 1, 2, 3
