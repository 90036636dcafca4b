"""Everything that can be found. The table in ``docs/doctor.md`` is made from it."""

from edged.doctor.findings import AWAY, WRONG, Kind, Status

OK, NOTE, WARNING, ERROR = Status.OK, Status.NOTE, Status.WARNING, Status.ERROR

_CREDENTIALS = "sudo CREDENTIALS_DIRECTORY=/etc/edged/credentials edged doctor"
_REINSTALL = "pip install 'edged[{extra}]'"

# configuration
CONFIGURED = Kind("configured", "configuration", OK, "a configuration was read")
NOT_CONFIGURED = Kind(
    "not-configured",
    "configuration",
    NOTE,
    "there is none; only the machine was looked at",
    "write {path} with one camera (`url`, `models`) and `mqtt.url`, or try edged run --camera URL --model PATH",
)
MISCONFIGURED = Kind(
    "misconfigured", "configuration", ERROR, "it is not there, or something in it is wrong", "{edit}", WRONG
)
NO_EFFECT = Kind("no-effect", "configuration", WARNING, "a key that has no effect", "take it out of {path}")
SECRET_READABLE = Kind(
    "secret-readable",
    "configuration",
    WARNING,
    "a file with a password that other users of this machine can read",
    "write ${{credential:NAME}} in its place, or chmod o-rwx {path} as the daemon's user",
)

# runtime
RUNTIME = Kind("runtime", "runtime", OK, "ONNX Runtime loads, and which packages it comes from")
RUNTIME_MISSING = Kind("runtime-missing", "runtime", ERROR, "no ONNX Runtime", _REINSTALL, WRONG)
RUNTIME_CLASH = Kind(
    "runtime-clash",
    "runtime",
    ERROR,
    "wheels that overwrite each other's files are installed together",
    "pip uninstall -y {wheels} && " + _REINSTALL,
    WRONG,
)
RUNTIME_BROKEN = Kind(
    "runtime-broken",
    "runtime",
    ERROR,
    "ONNX Runtime is installed and cannot be used",
    "pip install --force-reinstall --no-deps {packages}",
    WRONG,
)
RUNTIME_UNKNOWN = Kind(
    "runtime-unknown",
    "runtime",
    WARNING,
    "there was no time left, or no process, to ask it",
    "edged doctor --timeout 120",
)
TELEMETRY_OFF = Kind("telemetry-off", "runtime", OK, "ONNX Runtime does not call its maker")
TELEMETRY_ON = Kind(
    "telemetry-on",
    "runtime",
    ERROR,
    "something loads ONNX Runtime before edged can switch its telemetry off",
    "take the import of onnxruntime out of the .pth files and sitecustomize.py of {folder}",
    WRONG,
)
TELEMETRY_PACKAGE = Kind(
    "telemetry-package",
    "runtime",
    WARNING,
    "a package that reports to its maker whenever it is imported; edged does not need it",
    "pip uninstall -y {packages}",
)
TELEMETRY_TRACE = Kind(
    "telemetry-trace",
    "runtime",
    NOTE,
    "some program of this user has run ONNX Runtime with its telemetry on",
    "rm {path}; start that program with ORT_DISABLE_TELEMETRY=1",
)

# providers
PROVIDERS = Kind("providers", "providers", OK, "the execution providers that work here")
PROVIDER_MISSING = Kind(
    "provider-missing",
    "providers",
    WARNING,
    "a provider was asked for and is not there; another serves",
    "{do}",
)
PROVIDER_REQUIRED = Kind(
    "provider-required",
    "providers",
    ERROR,
    "a provider was asked for, is not there, and no other may or can serve",
    "{do}",
    WRONG,
)

# machine
MACHINE = Kind("machine", "machine", OK, "processor, cores, memory, system")
MEMORY_SHORT = Kind(
    "memory-short",
    "machine",
    WARNING,
    "too little memory is free for a worker process",
    "end other programs, or use a smaller model",
)
CLOCK = Kind("clock", "machine", OK, "the local clock")
CLOCK_UNSYNCHRONISED = Kind(
    "clock-unsynchronised",
    "machine",
    NOTE,
    "nothing keeps the clock right; time stamps and certificates depend on it",
    "sudo timedatectl set-ntp true",
)
CLOCK_BEHIND = Kind(
    "clock-behind",
    "machine",
    ERROR,
    "the clock is before the day edged was installed, so it is wrong",
    "sudo timedatectl set-ntp true",
    WRONG,
)

# decoders
DECODERS = Kind("decoders", "decoders", OK, "hardware decoders that work here")
NO_DECODERS = Kind("no-decoders", "decoders", NOTE, "none; video is decoded in software")
DECODER_MISSING = Kind(
    "decoder-missing",
    "decoders",
    WARNING,
    "a camera asks for a decoder that is not there; software decodes it",
    'write {key} = "software", or mend what is said',
)
DECODERS_UNKNOWN = Kind(
    "decoders-unknown",
    "decoders",
    WARNING,
    "asking for hardware decoders ended the process that asked, or took too long",
    "update the driver of the graphics processor",
)

# devices
DEVICE = Kind("device", "devices", OK, "a device that the configuration needs is there and may be used")
DEVICE_MISSING = Kind(
    "device-missing", "devices", ERROR, "a device that the configuration needs is not there", "{do}", WRONG
)
DEVICE_REFUSED = Kind(
    "device-refused",
    "devices",
    ERROR,
    "this user may not use it: the group is `video` of cameras, `render` of graphics, `dialout` of serial lines",
    "sudo usermod -aG {group} {user}",
    WRONG,
)
DEVICE_STALE_LOGIN = Kind(
    "device-stale-login",
    "devices",
    ERROR,
    "the user was added to the device's group, but this login is older",
    "log in again, or restart the service",
    WRONG,
)
DEVICE_HIDDEN = Kind(
    "device-hidden",
    "devices",
    ERROR,
    "the systemd unit hides devices that the configuration needs",
    "sudo systemctl edit {unit}: PrivateDevices=no, and the DeviceAllow= and SupplementaryGroups= it comments on",
    WRONG,
)

# service
SERVICE = Kind("service", "service", OK, "the systemd unit, as systemd sees it")
SERVICE_FAILED = Kind(
    "service-failed", "service", WARNING, "the unit has failed", "journalctl -u {unit} -n 50"
)
OTHER_INSTANCE = Kind(
    "other-instance",
    "service",
    NOTE,
    "a unit `edged@NAME` of another configuration; only its state was looked at",
    "edged doctor -c {file}",
)
DAEMON = Kind("daemon", "service", OK, "a daemon of this configuration runs and is ready")
NO_DAEMON = Kind("no-daemon", "service", NOTE, "none runs on this machine")
DAEMON_UNREADY = Kind(
    "daemon-unready", "service", WARNING, "a daemon runs and is not well", "journalctl -u {unit} -n 50"
)
ENDPOINT_TAKEN = Kind(
    "endpoint-taken",
    "service",
    WARNING,
    "another program, or another edged, has the default port of the local endpoint; edged runs without",
    'write listen = "127.0.0.1:{free}" under [http]',
)
ENDPOINT_STOLEN = Kind(
    "endpoint-stolen",
    "service",
    ERROR,
    "another program, or another edged, has the port that `http.listen` names; edged does not start",
    'write listen = "127.0.0.1:{free}" under [http]',
    WRONG,
)
OTHER_USER = Kind(
    "other-user",
    "service",
    NOTE,
    "the service runs as another user; permissions were tested for this one",
    "{do}",
)

# broker
BROKER = Kind("broker", "broker", OK, "it takes us; host and MQTT version")
BROKER_UNREACHABLE = Kind(
    "broker-unreachable",
    "broker",
    ERROR,
    "it cannot be reached: its name is unknown, nothing listens, nothing answers, or it speaks something else",
    "{do}",
    AWAY,
)
BROKER_REFUSED = Kind(
    "broker-refused", "broker", ERROR, "it refuses user, password or client id", "{do}", WRONG
)
BROKER_CERTIFICATE = Kind(
    "broker-certificate",
    "broker",
    ERROR,
    "TLS fails: certificate, authority, name, or no TLS there",
    "{do}",
    AWAY,
)
CERTIFICATE_EXPIRED = Kind(
    "certificate-expired",
    "broker",
    ERROR,
    "the broker's certificate has expired, by this machine's clock",
    "renew it at the broker; if {now} is not the time, sudo timedatectl set-ntp true",
    AWAY,
)
CERTIFICATE_EARLY = Kind(
    "certificate-early",
    "broker",
    ERROR,
    "the broker's certificate is not valid yet, by this machine's clock: mostly the clock is wrong",
    "sudo timedatectl set-ntp true",
    AWAY,
)
CERTIFICATE_ENDING = Kind(
    "certificate-ending",
    "broker",
    WARNING,
    "the broker's certificate expires within 14 days",
    "renew it at the broker",
)
BROKER_FILES = Kind(
    "broker-files", "broker", ERROR, "a certificate, key or password file cannot be used", "{do}", WRONG
)
BROKER_SECRET = Kind(
    "broker-secret",
    "broker",
    WARNING,
    "its password is a systemd credential, which this command was not given",
    _CREDENTIALS,
)
BROKER_MUTE = Kind(
    "broker-mute",
    "broker",
    ERROR,
    "it lets us in, but takes nothing that we publish",
    "let the user read and write {topics} in the broker's access list",
    WRONG,
)
BROKER_ACL = Kind(
    "broker-acl",
    "broker",
    WARNING,
    "it lets us in, but not subscribe to our own topics",
    "let the user read and write {topics} in the broker's access list",
)
TWIN = Kind(
    "twin",
    "broker",
    WARNING,
    "the broker has this device as online, and no daemon of this machine is: another one has the same name",
    'give each its own name: device = "NAME" in one of the two configurations',
)

# cameras
CAMERA = Kind("camera", "cameras", OK, "a frame came; resolution, codec, rate")
CAMERA_UNREACHABLE = Kind(
    "camera-unreachable", "cameras", ERROR, "refused, silent, unknown or broken off", "{do}", AWAY
)
CAMERA_REFUSED = Kind(
    "camera-refused", "cameras", ERROR, "wrong user or password, or no permission", "{do}", WRONG
)
CAMERA_MISSING = Kind("camera-missing", "cameras", ERROR, "no such file, device or stream", "{do}", WRONG)
CAMERA_UNDECODABLE = Kind(
    "camera-undecodable",
    "cameras",
    ERROR,
    "its codec is not supported, or what it sends is broken",
    "{do}",
    WRONG,
)
CAMERA_MISCONFIGURED = Kind(
    "camera-misconfigured", "cameras", ERROR, "its address or a secret in it is wrong", "{do}", WRONG
)
CAMERA_SECRET = Kind(
    "camera-secret",
    "cameras",
    WARNING,
    "not tried: a systemd credential in its address was not given to this command",
    _CREDENTIALS,
)
CAMERA_BUSY = Kind("camera-busy", "cameras", NOTE, "the running daemon has it open")
CAMERA_UNFINISHED = Kind(
    "camera-unfinished",
    "cameras",
    ERROR,
    "no frame came before the time of this command was up",
    "edged doctor --timeout 120",
    AWAY,
)

# sensors
SENSOR = Kind("sensor", "sensors", OK, "its file or address is in order; nothing was read from it")
SENSOR_MISSING = Kind("sensor-missing", "sensors", ERROR, "no such file or device", "{do}", WRONG)
SENSOR_REFUSED = Kind(
    "sensor-refused", "sensors", ERROR, "this user may not read it", "chmod u+r {path}", WRONG
)
SENSOR_MISCONFIGURED = Kind("sensor-misconfigured", "sensors", ERROR, "its address is wrong", "{do}", WRONG)

# store
STORE = Kind("store", "store", OK, "the folder of models; free disk space")
STORE_MISSING = Kind(
    "store-missing",
    "store",
    ERROR,
    "there is no store, and a model is to come from it",
    "sudo install -d -o {user} {path}",
    WRONG,
)
STORE_UNREADABLE = Kind(
    "store-unreadable", "store", ERROR, "this user may not read it", "sudo chown -R {user} {path}", WRONG
)
STORE_READONLY = Kind(
    "store-readonly",
    "store",
    WARNING,
    "it cannot be written: what was rejected or served is forgotten at the next start",
    "sudo chown -R {user} {path}",
)
STATE = Kind("state", "store", OK, "where results wait for the broker")
STATE_UNWRITABLE = Kind(
    "state-unwritable",
    "store",
    ERROR,
    "results cannot be kept on disk: the folder is another user's, or read-only",
    "sudo chown -R {user} {path}",
    WRONG,
)
DISK_READONLY = Kind(
    "disk-readonly",
    "store",
    ERROR,
    "the file system is mounted read-only",
    "sudo mount -o remount,rw {mount}",
    WRONG,
)
DISK_FULL = Kind(
    "disk-full",
    "store",
    ERROR,
    "less than 64 MiB, or hardly a file, is free",
    "du -xh {path} | sort -h | tail",
    WRONG,
)
DISK_SHORT = Kind(
    "disk-short", "store", WARNING, "less than 512 MiB is free", "du -xh {path} | sort -h | tail"
)
OUTBOX_ROOM = Kind(
    "outbox-room",
    "store",
    WARNING,
    "the disk is full before the outbox is",
    'write spool_max_bytes = "{bound}" under [mqtt]',
)

# models
MODEL = Kind("model", "models", OK, "it loads, and on which provider")
MODEL_MISSING = Kind("model-missing", "models", ERROR, "it is configured and not there", "{do}", WRONG)
MODEL_REJECTED = Kind(
    "model-rejected",
    "models",
    WARNING,
    "a version was rejected earlier, and why; an older one serves",
    "edged model test {path}",
)
MODEL_ALL_REJECTED = Kind(
    "model-all-rejected",
    "models",
    ERROR,
    "every version was rejected",
    "edged model test {path}",
    WRONG,
)
MODEL_UNSERVABLE = Kind("model-unservable", "models", ERROR, "it does not pass the gate", "{do}", WRONG)
MODEL_ELSEWHERE = Kind(
    "model-elsewhere", "models", WARNING, "it loads, on another provider than was asked for first", "{do}"
)
LABEL_UNKNOWN = Kind(
    "label-unknown",
    "models",
    WARNING,
    "the configuration names a label that the model does not find: it counts nothing",
    "{do}",
)
MODEL_SKIPPED = Kind(
    "model-skipped",
    "models",
    NOTE,
    "not loaded: a daemon serves it and two copies may be too many (`--models` loads it all the same), "
    "or the runtime cannot be used",
)
MODEL_UNFINISHED = Kind(
    "model-unfinished",
    "models",
    WARNING,
    "it was still loading when the time of this command was up",
    "edged model test {path}",
)

# of any area
UNEXAMINED = Kind(
    "unexamined",
    "doctor",
    WARNING,
    "something could not be looked at, in time or at all",
    "edged doctor --timeout 120",
)

ALL: tuple[Kind, ...] = tuple(one for one in globals().values() if isinstance(one, Kind))
