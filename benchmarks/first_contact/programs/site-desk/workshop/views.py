"""Pages by views, JSON by a Cornice service, reports by a renderer chosen from the suffix."""
import csv
import io

import deform
from cornice import Service
from cornice.validators import colander_querystring_validator
import colander
from pydantic import ValidationError
from pyramid.httpexceptions import HTTPFound, HTTPNotFound
from pyramid.renderers import render
from pyramid.response import Response
from pyramid.security import remember
from pyramid.view import exception_view_config, forbidden_view_config, notfound_view_config, view_config
from sqlalchemy import func, select

from .models import Ticket, TicketIn, TicketSchema


def wrong_query(request):
    request.response.status_int = request.errors.status
    return {"status": "error", "errors": list(request.errors)}


api = Service(name="api", path="/api/tickets", description="Tickets as JSON", cors_origins=("https://shop.example",), renderer="orjson", error_handler=wrong_query)


class ApiQuery(colander.MappingSchema):
    status = colander.SchemaNode(colander.String(), missing=None)
    limit = colander.SchemaNode(colander.Integer(), validator=colander.Range(1, 50), missing=50)


def money(cents):
    return f"{cents / 100:,.2f} EUR"


def row(ticket):
    return {"id": ticket.id, "item": ticket.item, "status": ticket.status, "price": ticket.price, "due": ticket.due}


@view_config(route_name="login", request_method="POST")
def login(request):
    request.session.flash(f"Welcome, {request.matchdict['name']}")
    return HTTPFound("/", headers=remember(request, request.matchdict["name"]))


@view_config(route_name="tickets", renderer="templates/tickets.jinja2", permission="view")
def tickets(request):
    size, page = int(request.registry.settings["workshop.page_size"]), int(request.params.get("page", 1))
    total = request.db.scalar(select(func.count(Ticket.id)))
    found = request.db.scalars(select(Ticket).order_by(Ticket.due).offset((page - 1) * size).limit(size)).all()
    return {"tickets": found, "total": total, "page": page, "more": page * size < total}


@view_config(route_name="ticket", renderer="templates/ticket.jinja2", permission="view")
def ticket(request):
    found = request.db.get(Ticket, int(request.matchdict["id"]))
    if found is None:
        raise HTTPNotFound()
    return {"ticket": found}


@view_config(route_name="new", permission="create", require_csrf=False)
def new(request):
    form = deform.Form(TicketSchema().bind(request=request), buttons=("save",), action=request.path)
    if request.method != "POST":
        return Response(form.render({"status": "waiting"}))
    try:
        data = form.validate(request.POST.items())
    except deform.ValidationFailure as failure:
        return Response(failure.render(), status=422)
    request.db.add(Ticket(**{**data, "price": int(data["price"] * 100)}))
    request.session.flash(f"{data['item']} was taken in")
    return HTTPFound(request.route_path("tickets"))


@view_config(route_name="report", permission="report")
def report(request):
    rows = [row(t) for t in request.db.scalars(select(Ticket).order_by(Ticket.id))]
    ext = request.matchdict["ext"]
    if ext == "json":
        return Response(render("orjson", rows, request=request), content_type="application/json")
    if ext == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return Response(out.getvalue(), content_type="text/csv", charset="utf-8")
    return Response("\n".join(f"{r['item']:<20}{money(r['price']):>14}" for r in rows), content_type="text/plain", charset="utf-8")


@api.get(schema=ApiQuery(), validators=(colander_querystring_validator,))
def api_list(request):
    query = select(Ticket).order_by(Ticket.id).limit(request.validated["limit"])
    if request.validated["status"]:
        query = query.where(Ticket.status == request.validated["status"])
    return {"tickets": [row(t) for t in request.db.scalars(query)]}


@api.post(permission="create")
def api_create(request):
    data = TicketIn.model_validate_json(request.body)
    made = Ticket(item=data.item, price=int(data.price * 100), due=data.due, note=data.note)
    request.db.add(made)
    request.db.flush()
    request.response.status_int = 201
    return row(made)


@exception_view_config(ValidationError, renderer="json")
def invalid(error, request):
    request.response.status_int = 400
    return {"errors": [{"at": list(e["loc"]), "type": e["type"]} for e in error.errors()]}


@notfound_view_config(renderer="json")
def missing(request):
    request.response.status_int = 404
    return {"error": "nothing here"}


@forbidden_view_config(renderer="json")
def forbidden(request):
    request.response.status_int = 403
    return {"error": "not for you", "who": request.authenticated_userid}
