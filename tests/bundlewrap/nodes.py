from os import environ

OLD_TIMER = {
    'command': '/opt/left4me/.venv/bin/flask --app l4d2web.app:create_app workshop-refresh',
    'when': '*-*-* 05:00:00',
    'user': 'left4me',
}

nodes = {
    # A host from before the generator: the metadata it has, threads as well as cores, a timer that is gone now.
    'eight': {
        'hostname': 'localhost',
        'groups': {'debian'},
        'metadata': {
            'vm': {'cores': 4, 'threads': 8},
            'left4me': {
                'system_cpus': {4, 0},
                'gunicorn_workers': 1,
                'gunicorn_threads': 24,
                'port_range_start': 27000,
                'port_range_end': 27500,
                'secret_key': 'never in a unit',
            },
            'systemd-timers': {
                'left4me-workshop-refresh': OLD_TIMER,
                'backup': {'command': '/usr/bin/true', 'when': 'daily'},
            },
        },
    },
    # Cores only, nearly every key given, from a checkout; the old timer comes from a bundle.
    'twelve': {
        'hostname': 'localhost',
        'bundles': {'old-timer'},
        'groups': {'debian'},
        'metadata': {
            'vm': {'cores': 12},
            'left4me': {
                'install': 'checkout',
                'checkout': {'repo': 'file://' + environ.get('TEST_CHECKOUT', '/nowhere'), 'rev': 'main'},
                'system_cpus': {'10', '9', '0'},
                'resolvers': ['9.9.9.9'],
                'host': {'root': '/srv/left4me'},
                'web': {'enabled': False},
                'game': {'strict_ports': True, 'nice': -3, 'memory_max': '3G'},
                'build': {'denied_addresses': {'203.0.113.10/32', '2001:db8::/64'}, 'timeout': '30min'},
                'workshop': {'refresh': ''},
            },
        },
    },
    # Nothing to say but how many threads; the old timer comes from a group, which another node is in too.
    'four': {
        'hostname': 'localhost',
        'groups': {'debian', 'old-timer'},
        'metadata': {
            'vm': {'threads': 4},
        },
    },
    'without': {
        'hostname': 'localhost',
        'bundles': {'systemd', 'systemd-timers'},
        'groups': {'old-timer'},
    },
}
