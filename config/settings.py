"""What a site edits: every setting, its type, its default and its reason. docs/configuration.md is made from this."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from config.dashboard import Dashboard as Dashboard  # noqa: PLC0414 - to be had from here, like the others
from config.dashboard import OpenId as OpenId  # noqa: PLC0414 - the same
from config.fleet import Fleet as Fleet  # noqa: PLC0414 - to be had from here, like the others
from config.hardware import bluetooth_address, network_address, serial_port, udp_port
from config.home_assistant import HomeAssistant
from config.section import Identifier as Identifier  # noqa: PLC0414 - the same
from config.section import Section as Section  # noqa: PLC0414 - whoever reads settings takes it from here

Placement = Literal["left_foot", "right_foot", "left_shank", "right_shank", "left_thigh", "right_thigh",
                    "lower_back", "chest", "wrist", "left_wrist", "right_wrist", "upper_arm", "finger", "ear_lobe",
                    "bedside", "exoskeleton"]  # fmt: skip


class Site(Section):
    """Where this gateway is."""

    site: Identifier = Field("demo", description="Site, the first part of every topic.")
    gateway: Identifier = Field("gateway-1", description="This gateway, unique within the site.")
    data: Path = Field(Path("var"), description="Folder for the outbox, the history and recordings.")


class Broker(Section):
    """The MQTT 5 broker."""

    embedded: bool = Field(
        default=True,
        description="Start a broker of our own, which only this user reaches (mosquitto if installed, else iotcore).",
    )
    host: str = Field("127.0.0.1", description="Host name of the broker.")
    port: int = Field(
        1883, ge=1, le=65535,
        description="TCP port of the broker. The embedded mosquitto needs none; the embedded iotcore takes this one, or"
        " another if it is taken.",
    )  # fmt: skip
    username: str | None = Field(None, description="User name, if the broker asks for one.")
    password_file: Path | None = Field(None, description="File that holds the password and nothing else.")
    ca_file: Path | None = Field(None, description="Certificate authority of the broker: turns TLS on.")
    cert_file: Path | None = Field(None, description="This gateway's certificate, for mutual TLS.")
    key_file: Path | None = Field(None, description="Its private key.")
    crl_file: Path | None = Field(
        None, description="Revocation list of the authority: a broker whose certificate is on it is refused."
    )
    clear_text: Literal["refused", "accepted"] = Field(
        "refused",
        description="Whether a password may go to a broker on another machine without TLS, where the network may read"
        " it along.",
    )
    window: int = Field(20, ge=1, le=1000, description="Most messages under way without the broker's acknowledgement.")


class Outbox(Section):
    """The durable queue between the pipeline and the broker."""

    max_megabytes: int = Field(
        512,
        ge=1,
        description="Size cap; beyond it the oldest go, windowed metrics before events and notices, and these before"
        " the audit. What goes is counted and told.",
    )
    max_days: int = Field(
        30, ge=1, description="Age cap: what could not be delivered for longer is dropped, counted and told."
    )
    commit_ms: int = Field(200, ge=10, le=1000, description="Longest wait of a measurement before it is on disk.")
    release: Literal["stored", "broker"] = Field(
        "stored", description="A measurement leaves when the historian stored it, or when the broker took it."
    )
    historians: list[Identifier] = Field(
        default_factory=list,
        description="Historians that share the load, by their historian.id: only their receipts are believed. Empty:"
        " the one historian that shares with nobody.",
    )


class Store(Section):
    """A remote time-series store that the historian also writes to."""

    kind: Literal["influxdb1", "influxdb2", "influxdb3", "victoriametrics", "postgresql"] = Field(
        description="What the store speaks; influxdb1 is plain /write, postgresql is TimescaleDB too."
    )
    url: str = Field(
        description="Base address without a path, for example http://127.0.0.1:8428 or postgresql://127.0.0.1:5432."
    )
    organisation: str = Field("", description="InfluxDB 2 organisation.")
    bucket: str = Field("rehab", description="InfluxDB 2 bucket, or database of InfluxDB 1 or 3, or of PostgreSQL.")
    username: str | None = Field(
        None, min_length=1, description="PostgreSQL's user; by default the name of the user that the historian runs as."
    )
    token_file: Path | None = Field(
        None, description="File that holds the token, or the password of PostgreSQL's user, and nothing else."
    )
    ca_file: Path | None = Field(
        None,
        description="Certificate authority of PostgreSQL's server: turns TLS on on this machine too. By default those"
        " that the system trusts.",
    )
    clear_text: Literal["refused", "accepted"] = Field(
        "refused",
        description="Whether a token may go to a store on another machine without TLS, where the network may read it"
        " along. To PostgreSQL elsewhere nothing at all goes in clear text unless this says 'accepted'.",
    )
    hold_back_s: float = Field(
        60.0,
        ge=0,
        le=3600,
        description="Seconds before what the store took counts as stored: a store that is killed loses its last ones."
        " 0 takes its word.",
    )


class Historian(Section):
    """MQTT to history."""

    id: Identifier | None = Field(
        None, description="Name of this historian, unique within the site; needed where several share the load."
    )
    share: Identifier | None = Field(
        None,
        description="Group of historians that share the load: each gets a part of the measurements. By default it gets"
        " all of them.",
    )
    database: Path | None = Field(None, description="SQLite history; by default history.db in the data folder.")
    cert_file: Path | None = Field(
        None, description="The historian's certificate to the broker; by default the gateway's."
    )
    key_file: Path | None = Field(None, description="Its private key.")
    keep_days: int = Field(
        365,
        ge=1,
        description="Measurements that were received longer ago are deleted; their minute and session values stay.",
    )
    retention_share: float = Field(
        5.0,
        gt=0,
        le=100,
        description="Most of the history, in per cent, that is deleted in a day beyond what became old in that day;"
        " more needs 'rehab-gateway history retention --confirm'.",
    )
    receipt_key_file: Path | None = Field(
        None,
        description="File with a secret that gateways and historians share: receipts without its sum are not believed."
        " With the embedded broker one is made in the data folder.",
    )
    believed_clock_most_s: float = Field(
        86_400.0,
        ge=0,
        description="Seconds by which a wall time that was never in doubt may be corrected; more is refused and told.",
    )
    store: Store | None = Field(None, description="A remote store; none by default.")


class Change(Section):
    """What a change of a result is held against."""

    band_files: list[Path] = Field(
        default_factory=list,
        description="Band files of the site's own, beside those that are shipped: how large a change has to be, for one"
        " group of patients. Which group a patient is of is said by 'ward plan'; none by default.",
    )


class Prometheus(Section):
    """Metrics of the gateway process for Prometheus, whether or not a broker is there."""

    port: int | None = Field(None, ge=1, le=65535, description="Serve http://127.0.0.1:<port>/metrics; off by default.")


class Notices(Section):
    """Notices sent on to a pager or a phone; off unless an address is named."""

    webhook: str | None = Field(
        None,
        description="Address that is told of each notice by POST: the bed and the kind, nothing of anybody. https, or"
        " http on this machine.",
    )
    least_priority: Literal["low", "medium"] = Field("medium", description="What is less urgent is not sent on.")

    @field_validator("webhook")
    @classmethod
    def _is_closed(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        here = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and here)):
            raise ValueError("has to begin with https://, or with http:// and be on this machine")
        return value


class Radio(Section):
    """Bluetooth."""

    name: str = Field("bluez", description="'bluez' for the machine's adapter; 'simulated' for the simulators'.")
    socket: Path | None = Field(None, description="Unix socket of the simulated radio.")
    adapter: str | None = Field(None, description="The only Bluetooth adapter to use: its name, such as hci0.")
    adapters: list[str] = Field(
        default_factory=list,
        description="Adapters to use, by name or address, where it is not one; by default all that the computer has.",
    )
    links: int | None = Field(
        None,
        ge=1,
        le=7,
        description="Devices that an adapter may hold at once: 5 by default, which cheap ones hold; many hold 7. One"
        " that refuses earlier is given no more than it held.",
    )


class Recorder(Section):
    """Recording of what the devices sent."""

    enabled: bool = Field(default=False, description="Record every frame of every device.")
    folder: Path | None = Field(None, description="Where to; by default 'recordings' in the data folder.")


class Backup(Section):
    """Copies of everything that belongs to the ward: what 'rehab-gateway backup' makes, each night by a timer."""

    folder: Path | None = Field(None, description="Where they go: a disk of its own or a share; none without it.")
    key_file: Path | None = Field(None, description="File with the key that opens them; nobody can without it.")
    keep: int = Field(14, ge=1, le=1000, description="Backups of this gateway that are kept; older ones are deleted.")
    most_hours: float = Field(30.0, gt=0, description="Hours; when the newest is older, a notice says so.")
    recordings: bool = Field(default=False, description="Whether recordings are copied too: they are large.")
    sftp_to: Annotated[str, Field(pattern=r"^[\w.-]+@[\w.-]+(:[\w./-]+)?$")] | None = Field(
        None,
        description="Where each is sent by SFTP besides, USER@COMPUTER:FOLDER: a folder that is there; one that could"
        " not be sent is a failed backup.",
    )
    sftp_key_file: Path | None = Field(
        None, description="Private key without a password that the computer of 'sftp_to' lets in."
    )


class Device(Section):
    """One device of a slot."""

    id: Identifier = Field(description="Id, unique within the gateway.")
    driver: str = Field(
        description="Name of the driver, as the README's table has it, or of one that another package brings."
    )
    placement: Placement = Field(description="Where it is worn.")
    address: Annotated[str, AfterValidator(bluetooth_address)] | None = Field(
        None, description="Bluetooth address, in any spelling; this or 'name' for a BLE device."
    )
    name: str | None = Field(
        None, description="Bluetooth name, when the address changes; no other device in range may have it."
    )
    passkey: Annotated[str, Field(pattern=r"^\d{1,6}$")] | None = Field(
        None,
        description="Six digits that a Bluetooth device shows, or has on its label, where it must be paired first.",
    )
    port: Annotated[Path, AfterValidator(serial_port)] | None = Field(
        None,
        description="Serial port: a tty such as /dev/rfcomm0 or one of /dev/serial/by-id, or the USB adapter whatever"
        " its number is, usb:VENDOR:PRODUCT:SERIAL as 'doctor' lists it.",
    )
    listen: Annotated[str, AfterValidator(udp_port)] | None = Field(
        None,
        description="Address and UDP port of this computer that a device of the network sends to, such as"
        " 192.0.2.10:5005; with 'sender'.",
    )
    sender: Annotated[str, AfterValidator(network_address)] | None = Field(
        None, description="Address that a device of the network sends from; what others send is counted and left alone."
    )
    serial: str | None = Field(
        None,
        min_length=1,
        description="Serial number that the device must tell; one that tells another is refused. By default the one"
        " that it tells first.",
    )
    tag: str | None = Field(
        None,
        min_length=1,
        description="Tag that the device must tell (what its owner named it, as a Movella DOT or Shimmer keeps it).",
    )
    axes: Annotated[str, StringConstraints(pattern=r"^[+-]?[xyz] [+-]?[xyz] [+-]?[xyz]$")] = Field(
        "x y z",
        description="Which sensor axes point forward, left and up when it is worn: '-x -y z' says that the sensor's"
        " x points backward, its y right and its z up.",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the driver.")


class Slot(Section):
    """A bed or bay, and who and what is in it."""

    id: Identifier = Field(description="Id, part of the topics.")
    label: str = Field("", description="What the ward calls it.")
    subject: Identifier = Field(description="Pseudonym of who is there; never a name or a hospital number.")
    protocol: str = Field(
        "free_walk",
        description="What the session is: free_walk, rest, treadmill, 10mwt, 6mwt, tug, ...; with fields, where it has"
        " some, as 'balance eyes=closed stance=tandem'.",
    )
    height_m: float | None = Field(
        None, ge=0.5, le=2.6, description="Body height in metres: gives step length and speed from the lower back."
    )
    mass_kg: float | None = Field(
        None, ge=2.0, le=400.0, description="Body mass in kilograms: gives power, and torque by mass."
    )
    heart_ceiling: float | None = Field(
        None,
        ge=60.0,
        le=220.0,
        description="Heart rate that the patient is not to exceed, a minute: above it for"
        " long, staff get a notice for review. A field 'ceiling' of a session's protocol takes its place.",
    )
    affected_side: Literal["left", "right", "both", "none"] = Field(
        "none", description="The side that the illness affects more, if it has one."
    )
    device: list[Device] = Field(default_factory=list, description="The devices worn there.")


class Settings(Section):
    """The whole configuration file."""

    site: Site = Field(default_factory=Site)
    radio: Radio = Field(default_factory=Radio)
    broker: Broker = Field(default_factory=Broker)
    outbox: Outbox = Field(default_factory=Outbox)
    historian: Historian = Field(default_factory=Historian)
    dashboard: Dashboard = Field(default_factory=Dashboard)
    change: Change = Field(default_factory=Change)
    prometheus: Prometheus = Field(default_factory=Prometheus)
    home_assistant: HomeAssistant = Field(default_factory=HomeAssistant)
    recorder: Recorder = Field(default_factory=Recorder)
    notices: Notices = Field(default_factory=Notices)
    backup: Backup = Field(default_factory=Backup)
    fleet: Fleet = Field(default_factory=Fleet)
    slot: list[Slot] = Field(default_factory=list, description="The beds and bays.")
    simulated: bool = Field(default=False, description="Mark everything as simulated; the demo does.")
    speed: float = Field(1.0, gt=0, le=100, description="Simulated time runs this many times as fast; only simulated.")

    @property
    def history_file(self) -> Path:
        """Where the historian's database lies, or will."""
        return self.historian.database or self.site.data / "history.db"
