"""Invitations for an office: meetings go to Google Calendar and Gmail through the API client (recorded answers), to iCalendar files, a Word agenda and a mail; replies are read back."""
import base64
import json
import tempfile
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import httplib2
import ics
import orjson
import vobject
from docx import Document
from docx.shared import Pt
from email_validator import EmailNotValidError, validate_email
from google.auth import crypt, jwt
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from google_auth_oauthlib.flow import InstalledAppFlow
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError, UnknownApiNameOrVersion
from googleapiclient.http import BatchHttpRequest, HttpMock, HttpMockSequence, MediaIoBaseUpload
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from imap_tools import AND, OR, MailMessage
from jinja2 import Environment, FileSystemLoader
from premailer import Premailer
from pydantic import BaseModel, EmailStr, ValidationError, computed_field

HERE = Path(__file__).resolve().parent
SCOPES = ["https://www.googleapis.com/auth/calendar.events", "https://www.googleapis.com/auth/gmail.send"]
CLIENT = {"installed": {"client_id": "clerk.apps.example", "client_secret": "s3cret", "auth_uri": "https://accounts.google.com/o/oauth2/auth",
                        "token_uri": "https://oauth2.googleapis.com/token", "redirect_uris": ["http://localhost"]}}


class Meeting(BaseModel):
    uid: str
    title: str
    begin: datetime
    hours: float
    room: str
    topics: list[str] = []

    @computed_field
    @property
    def end(self) -> datetime:
        return self.begin + timedelta(hours=self.hours)


class Guest(BaseModel):
    name: str
    email: EmailStr


def guests():
    good, bad = [], []
    for card in vobject.readComponents((HERE / "people.vcf").read_text()):
        try:
            good.append(Guest(name=card.fn.value, email=card.email.value))
        except ValidationError as exc:
            bad.append((card.n.value.family, exc.errors()[0]["type"]))
    return good, bad


def calendar_file(meetings, people):
    calendar = ics.Calendar(creator="-//Lakeside//clerk//EN")
    for m in meetings:
        event = ics.Event(name=m.title, begin=m.begin, end=m.end, uid=m.uid, location=m.room, created=datetime(2024, 4, 1), categories={"office"})
        event.alarms.append(ics.DisplayAlarm(trigger=timedelta(minutes=-15), display_text="soon"))
        for person in people:
            event.add_attendee(ics.Attendee(email=person.email, common_name=person.name))
        calendar.events.add(event)
    text = calendar.serialize()
    again = ics.Calendar(text)
    old = vobject.readOne(text)
    return text, [(e.name, e.begin.to("UTC").format("DD MMM HH:mm"), len(e.attendees)) for e in sorted(again.events)], sorted(v.location.value for v in old.vevent_list)


def agenda(path, meetings):
    document = Document()
    document.styles["Normal"].font.size = Pt(11)
    document.add_heading("Agenda of the week", 0)
    for m in meetings:
        document.add_heading(m.title, level=1)
        for topic in m.topics:
            document.add_paragraph(topic, style="List Number")
        table = document.add_table(rows=1, cols=2, style="Light Grid Accent 1")
        table.rows[0].cells[0].text, table.rows[0].cells[1].text = m.begin.strftime("%A %H:%M"), m.room
    document.save(path)
    return [p.text for p in Document(path).paragraphs if p.style.name.startswith("Heading")]


def mail(meeting, people, calendar):
    env = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)
    env.filters["day"] = lambda d: d.strftime("%A, %d %B at %H:%M")
    html = Premailer(env.get_template("invite.html").render(meeting=meeting), remove_classes=True).transform()
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = "clerk@lakeside.example", ", ".join(p.email for p in people), f"Invitation: {meeting.title}"
    message.set_content("See the attached invitation.")
    message.add_alternative(html, subtype="html")
    message.add_attachment(calendar.encode(), maintype="text", subtype="calendar", filename="invite.ics")
    return message


def answers(*items):
    return HttpMockSequence([({"status": str(status)}, orjson.dumps(body)) for status, body in items])


def calendar_service(meetings):
    service = build("calendar", "v3", http=answers(*[(200, {"id": m.uid, "status": "confirmed", "summary": m.title}) for m in meetings],
                                                  (200, {"items": [{"id": "board-04"}], "nextPageToken": "p2"}), (200, {"items": [{"id": "fire-04"}]}),
                                                  (409, {"error": {"code": 409, "message": "The requested identifier already exists.", "errors": [{"reason": "duplicate"}]}})), cache_discovery=False)
    made = [service.events().insert(calendarId="primary", sendUpdates="all", body={"id": m.uid, "summary": m.title, "start": {"dateTime": m.begin.isoformat()}, "end": {"dateTime": m.end.isoformat()}}).execute()["id"] for m in meetings]
    listed, request = [], service.events().list(calendarId="primary", maxResults=1)
    while request is not None:
        page = request.execute()
        listed += [e["id"] for e in page["items"]]
        request = service.events().list_next(request, page)
    try:
        service.events().insert(calendarId="primary", body={"id": "board-04"}).execute(num_retries=0)
    except HttpError as exc:
        return made, listed, exc.status_code, exc.reason
    raise AssertionError("a double event was taken")


def send(message, document):
    gmail = build("gmail", "v1", http=answers((200, {"id": "m1", "labelIds": ["SENT"]})), cache_discovery=False)
    request = gmail.users().messages().send(userId="me", body={"raw": base64.urlsafe_b64encode(message.as_bytes()).decode()})
    sent = request.execute()
    drive = build("drive", "v3", http=answers((200, {"id": "f1", "name": "agenda.docx"})), cache_discovery=False)
    with open(document, "rb") as stream:
        media = MediaIoBaseUpload(stream, mimetype="application/vnd.openxmlformats-officedocument.wordprocessingml.document")
        upload = drive.files().create(body={"name": "agenda.docx"}, media_body=media, fields="id,name")
        kept = upload.execute()
    tasks = build("tasks", "v1", http=HttpMock(headers={"status": "200"}), cache_discovery=False)
    batch = BatchHttpRequest(batch_uri="https://www.googleapis.com/batch/tasks/v1")
    for title in ("Book the room", "Print the agenda"):
        batch.add(tasks.tasks().insert(tasklist="@default", body={"title": title}))
    return sent, request.method, kept["name"], "multipart" in upload.headers["content-type"], sorted(batch._requests)


def signing():
    """The sign-in address for a person, and the claim of a service account."""
    flow = InstalledAppFlow.from_client_config(CLIENT, SCOPES, redirect_uri="http://localhost:8085/", autogenerate_code_verifier=False)
    url, _ = flow.authorization_url(access_type="offline", state="s1", prompt="consent")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    account = service_account.Credentials.from_service_account_info({"type": "service_account", "private_key": pem, "private_key_id": "k1", "client_email": "clerk@desk.example", "token_uri": CLIENT["installed"]["token_uri"]}, scopes=SCOPES)
    token = jwt.encode(crypt.RSASigner.from_string(pem, "k1"), {"iss": account.service_account_email, "iat": 1, "exp": 2, "scope": "mail"})
    claims = jwt.decode(token, certs=public, verify=False)
    person = Credentials.from_authorized_user_info({"client_id": "c", "client_secret": "s", "refresh_token": "r", "token": "t"}, SCOPES)
    authorized = AuthorizedHttp(person, http=httplib2.Http(timeout=3))
    return url.split("?")[0], url.count("&"), claims["iss"], json.loads(person.to_json())["refresh_token"], authorized.credentials.valid


def main():
    meetings = [Meeting.model_validate(m) for m in orjson.loads((HERE / "meetings.json").read_bytes())]
    people, bad = guests()
    text, events, rooms = calendar_file(meetings, people)
    print([g.email for g in people], bad, events, rooms)
    message = mail(meetings[0], people, text)
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "agenda.docx"
        print(agenda(document, meetings))
        print(send(message, document))
    print(calendar_service(meetings))
    read = MailMessage.from_bytes(message.as_bytes())
    print(read.subject, read.to, [(a.filename, a.content_type) for a in read.attachments], 'style="color:#204060' in read.html)
    print(AND(OR(from_=["mira@lakeside.example", "theo@lakeside.example"]), seen=False, subject="Invitation"))
    print(signing())
    for attempt in (lambda: build("calender", "v3", cache_discovery=False, http=HttpMock(headers={"status": "404"})), lambda: validate_email("x@nowhere..example", check_deliverability=False)):
        try:
            attempt()
        except (UnknownApiNameOrVersion, EmailNotValidError) as exc:
            print("rejected", type(exc).__name__)
    print("OK", len(meetings), "meetings,", len(people), "guests")


if __name__ == "__main__":
    main()
