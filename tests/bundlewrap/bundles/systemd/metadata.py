# As the systemd bundle of a repository that left4me joins: see deploy/bundlewrap/bundles/left4me/README.md.
defaults = {
    'systemd': {
        'units': {},
        'services': {},
    },
}


@metadata_reactor.provides(
    'systemd/units',
)
def default_wanted_by(metadata):
    units = {}
    for name, sections in metadata.get('systemd/units').items():
        if '/' in name:
            continue
        if name.endswith('.service') and not sections.get('Install', {}).get('WantedBy'):
            units[name] = {'Install': {'WantedBy': {'multi-user.target'}}}
        elif name.endswith('.timer'):
            units[name] = {'Install': {'WantedBy': {'timers.target'}}}
    return {'systemd': {'units': units}}


@metadata_reactor.provides(
    'systemd/services',
)
def known_services(metadata):
    for name in metadata.get('systemd/services'):
        if name.rpartition('.')[2] not in ('service', 'timer', 'mount', 'swap'):
            raise Exception(f'unknown extension: {name}')
    return {}


@metadata_reactor.provides(
    'monitoring/services',
)
def monitoring(metadata):
    return {
        'monitoring': {
            'services': {
                name: {'command': f'systemctl is-failed {name}'}
                for name in metadata.get('systemd/units')
                if name.endswith('.service')
            },
        },
    }
