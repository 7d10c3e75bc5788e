# left4me: the units of the host as `systemd/units` metadata, from `left4me-generator render`. See README.md.
from functools import lru_cache
from json import loads
from shutil import which
from subprocess import run

from bundlewrap.utils.ui import io

SECTIONS = ('host', 'web', 'game', 'build', 'workshop', 'update')
REFRESH = 'left4me-workshop-refresh'


def fail(message):
    """
    The message is the last line that bw prints. Not by an Exception: where one passes through an items.py, as in all
    commands but `bw metadata`, bundlewrap 4.13 prints a text of its own below it. A SystemExit is never printed.
    """
    io.stderr(f'!!! left4me: no units for node {node.name}:')
    io.stderr(message)
    error = SystemExit(message)
    error.code = 1
    raise error


def spelled(path, value):
    """A metadata value in the syntax of left4me.conf(5). What has no order of its own is sorted, numbers numerically."""
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, (set, list, tuple)):
        words = [str(word) for word in value]
        if isinstance(value, set) or path.endswith('/system_cpus'):
            words.sort(key=lambda word: (len(word), word))
        value = (',' if path.endswith('/system_cpus') else ' ').join(words)
    if '\n' in str(value) or '\r' in str(value):
        fail(f'{path}: a line break in {value!r}')
    return str(value)


def settings(metadata):
    """{section: {key: value}} of left4me.conf, None for unset keys. left4me/SECTION/KEY has precedence over other names."""
    host = metadata.get('left4me/host', {})
    first = metadata.get('left4me/port_range_start', None)
    short = {
        'host': {
            # For a host other than this machine it must be given; without it bundlewrap names the missing key.
            'cpus': host.get('cpus') or metadata.get('vm/threads', None) or metadata.get('vm/cores'),
            'system_cpus': metadata.get('left4me/system_cpus', None),
        },
        'web': {
            'workers': metadata.get('left4me/gunicorn_workers', None),
            'threads': metadata.get('left4me/gunicorn_threads', None),
        },
        'game': {
            'ports': None if first is None else f"{first}-{metadata.get('left4me/port_range_end')}",
        },
    }
    return {
        section: {**short.get(section, {}), **metadata.get(f'left4me/{section}', {})}
        for section in SECTIONS
    }


def configuration(metadata):
    """Text of left4me.conf: what is rendered from here and, through items.py, what the generator reads on the host."""
    lines = ['# From bundlewrap: the metadata below left4me/ and vm/. left4me.conf(5)']
    for section, keys in settings(metadata).items():
        given = [
            f'{key} = {spelled(f"left4me/{section}/{key}", value)}'.rstrip()
            for key, value in sorted(keys.items())
            if value is not None
        ]
        if given:
            lines += ['', f'[{section}]', *given]
    return '\n'.join(lines) + '\n'


@lru_cache(maxsize=None)
def rendered(conf):
    """The units for that configuration as JSON text: each caller parses it into objects of its own."""
    program = which('left4me-generator')
    if not program:
        fail('left4me-generator not found: build it with make and put it on PATH')
    try:
        done = run(
            [program, 'render', '--no-database', '--config=-', '--format=bundlewrap'],
            input=conf.encode(), capture_output=True,
        )
    except OSError as error:
        fail(f'{program}: {error.strerror}')
    said = done.stderr.decode(errors='replace').splitlines()
    if done.returncode != 0:
        # All on one line: only the last one is seen.
        problems = [line for line in said if not line.startswith('warning: ')]
        fail('; '.join(problems or said) or f'{program}: exit status {done.returncode}')
    for line in said:
        io.stderr(f'{program}: {line}')
    return done.stdout.decode()


def installed(name, sections):
    """
    The values of Install as sets, which are merged with those of the systemd bundle. A service without WantedBy= would
    get a default one there; the empty string is an empty assignment in the unit file, which means none.
    """
    install = {
        key: set(value) if isinstance(value, list) else {value}
        for key, value in sections.get('Install', {}).items()
    }
    if name.endswith('.service'):
        install.setdefault('WantedBy', {''})
    return {**sections, 'Install': install} if install else sections


@metadata_reactor.provides(
    'left4me/conf',
    'systemd/units',
    'systemd/services',
)
def units(metadata):
    conf = configuration(metadata)
    units = {
        name: installed(name, sections)
        for name, sections in loads(rendered(conf))['systemd']['units'].items()
    }
    services = {}
    if f'{REFRESH}.timer' in units:
        # Started, not enabled: the generator makes its link. Enabling it before the first reload would make one in /etc.
        services[f'{REFRESH}.timer'] = {
            'enabled': None,
            'running': True,
            'needs': ['action:left4me_daemon_reload'],
        }
    return {
        'left4me': {
            'conf': conf,
        },
        'systemd': {
            'units': units,
            'services': services,
        },
    }


def forget_timer(stack):
    """Removes the timer from every layer of this node's metadata; what nodes share is copied, not changed."""
    for index, partition in enumerate(stack._partitions):
        for identifier, layer in partition.items():
            timers = layer.get('systemd-timers', {})
            if REFRESH in timers:
                rest = type(timers)({name: timer for name, timer in timers.items() if name != REFRESH})
                stack.set_layer(index, identifier, {**layer, 'systemd-timers': rest})
        if stack._cached_partitions.pop(index, None):
            stack.cache_partition(index)


times_forgotten = 0


@metadata_reactor.provides(
    'systemd-timers',
)
def no_second_timer(metadata):
    """
    A timer that a host has from before the generator would clash with the unit of the same name. Reactors can only add,
    so this changes bundlewrap's own layers; should these change one day, somebody has to remove the timer by hand.
    """
    global times_forgotten
    if REFRESH in metadata.get('systemd-timers', {}):
        try:
            forget_timer(metadata._metastack)
        except AttributeError:
            pass
        if REFRESH in metadata.get('systemd-timers'):
            fail(f'systemd-timers/{REFRESH}: take it out, the timer comes from left4me-generator now')
        times_forgotten += 1
    # A different result after each removal, so that bundlewrap runs again what has already read the timer. It adds nothing.
    return {'systemd-timers': {}} if times_forgotten % 2 else {}
