select date_trunc('month',created_at) as month,region,
Sum(amount) as total
from tmp_revenue qualify row_number() over (partition by region order by created_at desc) = 1;
DROP TABLE tmp_revenue;
