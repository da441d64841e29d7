select id as customer_id, {{ clean_name('name') }} as customer, country, currency from {{ ref('customers') }}
