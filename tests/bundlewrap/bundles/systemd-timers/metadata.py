defaults = {
    'systemd-timers': {},
}


@metadata_reactor.provides(
    'systemd/units',
    'systemd/services',
)
def timers(metadata):
    units, services = {}, {}
    for name, timer in metadata.get('systemd-timers').items():
        units[f'{name}.timer'] = {
            'Unit': {'Description': f'{name} timer'},
            'Timer': {'OnCalendar': timer['when'], 'Unit': f'{name}.service'},
        }
        units[f'{name}.service'] = {
            'Unit': {'Description': f'{name} timer service'},
            'Service': {'ExecStart': timer['command'], 'User': timer.get('user', 'root')},
        }
        services[f'{name}.timer'] = {}
    return {'systemd': {'units': units, 'services': services}}
