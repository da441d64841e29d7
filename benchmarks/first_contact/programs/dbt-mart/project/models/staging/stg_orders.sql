select id as order_id, customer_id, amount, ordered_at, status
from {{ ref('orders') }}
