import statistics


def model(dbt, session):
    dbt.config(materialized="table", tags=["python"])
    orders = dbt.ref("stg_orders")
    rows = orders.project("customer_id, amount").fetchall()
    spent = {}
    for customer, amount in rows:
        spent[customer] = spent.get(customer, 0) + amount
    middle = statistics.median(spent.values())
    values = ", ".join(f"({c}, '{'gold' if a > middle else 'blue'}', {a})" for c, a in sorted(spent.items()))
    return session.sql(f"select * from (values {values}) as t(customer_id, segment, spent)")
