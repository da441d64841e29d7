"""A depot's API on Flask: Smorest blueprints with Marshmallow schemas, ES256 tokens, SQLAlchemy rows, content addresses by BLAKE3, Swagger's page."""
from blake3 import blake3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.views import MethodView
from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required
from flask_smorest import Api, Blueprint, abort
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema, fields, validate

db = SQLAlchemy()


class Blob(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(40), unique=True)
    digest = db.Column(db.String(64))


class BlobIn(Schema):
    name = fields.String(required=True, validate=validate.Length(max=40))
    text = fields.String(required=True, load_only=True)
    id = fields.Integer(dump_only=True)
    digest = fields.String(dump_only=True)


blp = Blueprint("blobs", "blobs", url_prefix="/blobs", description="Blobs")


@blp.route("/")
class Blobs(MethodView):
    @blp.response(200, BlobIn(many=True))
    @blp.paginate()
    def get(self, pagination_parameters):
        pagination_parameters.item_count = Blob.query.count()
        return Blob.query.order_by(Blob.id).all()

    @jwt_required()
    @blp.arguments(BlobIn)
    @blp.response(201, BlobIn)
    def post(self, data):
        if Blob.query.filter_by(name=data["name"]).first():
            abort(409, message=f"{get_jwt_identity()}: there is one")
        blob = Blob(name=data["name"], digest=blake3(data["text"].encode()).hexdigest())
        db.session.add(blob)
        db.session.commit()
        return blob


def make():
    key = ec.generate_private_key(ec.SECP256R1())
    app = Flask(__name__)
    app.config.update(
        API_TITLE="Depot", API_VERSION="v1", OPENAPI_VERSION="3.0.2", OPENAPI_URL_PREFIX="/", OPENAPI_SWAGGER_UI_PATH="/docs", OPENAPI_SWAGGER_UI_URL="https://cdn.example/",
        SQLALCHEMY_DATABASE_URI="sqlite:///:memory:", JWT_ALGORITHM="ES256",
        JWT_PRIVATE_KEY=key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        JWT_PUBLIC_KEY=key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    )
    db.init_app(app)
    JWTManager(app)
    Api(app).register_blueprint(blp)
    return app


def main():
    app = make()
    web = app.test_client()
    with app.app_context():
        db.create_all()
        head = {"Authorization": "Bearer " + create_access_token("kim")}
    codes = [web.post("/blobs/", json={"name": "a", "text": "hi"}).status_code]
    codes += [web.post("/blobs/", json={"name": n, "text": "hi"}, headers=head).status_code for n in ("a", "a", "x" * 50)]
    listed = web.get("/blobs/").get_json()
    spec = web.get("/openapi.json").get_json()
    page = web.get("/docs").get_data(as_text=True)
    print("OK", codes, listed[0]["digest"][:8], sorted(spec["paths"]), "swagger" in page.lower())


main()
