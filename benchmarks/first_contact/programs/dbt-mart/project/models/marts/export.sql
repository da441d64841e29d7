{{ config(materialized='external', location=env_var('MART_EXPORT'), format='parquet') }}
select * from {{ ref('revenue') }} order by country
