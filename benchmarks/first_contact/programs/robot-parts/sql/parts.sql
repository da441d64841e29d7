-- name: create_schema()#
create table parts (id integer primary key, name text unique not null, stock integer not null, price real not null);

-- name: add_part(name, stock, price)<!
insert into parts (name, stock, price) values (:name, :stock, :price);

-- name: get_part(id)^
select id, name, stock, price from parts where id = :id;

-- name: list_parts(below)
select id, name, stock, price from parts where stock <= :below order by name;

-- name: total_value()^
select round(sum(stock * price), 2) as value, count(*) as parts from parts;
