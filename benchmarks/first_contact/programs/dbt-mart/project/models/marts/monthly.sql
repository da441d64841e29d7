{{ config(materialized='incremental', unique_key='month', incremental_strategy='delete+insert') }}
select date_trunc('month', ordered_at) as month, sum(amount) as amount
from {{ ref('stg_orders') }}
{% if is_incremental() %}
where ordered_at >= (select max(month) from {{ this }})
{% endif %}
group by 1
