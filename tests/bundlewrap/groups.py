groups = {
    'debian': {
        'bundles': {'systemd', 'systemd-timers', 'left4me'},
    },
    'old-timer': {
        'metadata': {
            'systemd-timers': {
                'left4me-workshop-refresh': {'command': '/usr/bin/false', 'when': 'hourly'},
            },
        },
    },
}
