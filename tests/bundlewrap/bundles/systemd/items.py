directory = '/usr/local/lib/systemd/system'

directories = {
    directory: {
        'purge': True,
        'triggers': ['action:systemd-reload'],
    },
}

actions = {
    'systemd-reload': {
        'command': 'systemctl daemon-reload',
        'cascade_skip': False,
        'triggered': True,
    },
}

for name, unit in node.metadata.get('systemd/units').items():
    if name.split('.')[1] not in ('service', 'timer', 'mount', 'swap', 'target', 'slice'):
        raise Exception(f'unknown type: {name}')
    triggers = ['action:systemd-reload']
    if name in node.metadata.get('systemd/services'):
        triggers.append(f'svc_systemd:{name}:restart')
    if '/' in name:
        directories[f"{directory}/{name.rpartition('/')[0]}"] = {}
    files[f'{directory}/{name}'] = {
        'content': repo.libs.systemd.unit_file(unit),
        'triggers': triggers,
    }

for name, config in node.metadata.get('systemd/services').items():
    svc_systemd[name] = {**config, 'needs': [*config.get('needs', []), 'action:systemd-reload']}
