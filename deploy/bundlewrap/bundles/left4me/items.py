# left4me: the configuration, the program, and a reload when one of them changed. The systemd bundle delivers the units.
RELOAD = 'action:left4me_daemon_reload'
CHECKOUT = '/opt/left4me/generator'

install = node.metadata.get('left4me/install', 'package')
resolvers = node.metadata.get('left4me/resolvers', ['1.1.1.1', '8.8.8.8'])

directories = {
    '/etc/left4me': {
        'owner': 'root',
        'group': 'root',
        'mode': '0755',
    },
}

files = {
    # It holds no secret and the check, which runs as left4me, reads it. The generator refuses it if others than root may write.
    '/etc/left4me/left4me.conf': {
        'content': node.metadata.get('left4me/conf'),
        'owner': 'root',
        'group': 'root',
        'mode': '0644',
        'triggers': [RELOAD],
    },
    '/etc/left4me/sandbox-resolv.conf': {
        'content': ''.join(f'nameserver {address}\n' for address in resolvers),
        'owner': 'root',
        'group': 'root',
        'mode': '0644',
    },
}

if install == 'package':
    program = 'pkg_apt:left4me'
    pkg_apt = {
        'left4me': {
            'triggers': [RELOAD],
        },
    }
elif install == 'checkout':
    program = 'action:left4me_install'
    directories['/opt/left4me'] = {}
    directories[CHECKOUT] = {}
    git_deploy = {
        CHECKOUT: {
            'repo': node.metadata.get('left4me/checkout/repo'),
            'rev': node.metadata.get('left4me/checkout/rev'),
        },
    }
else:
    raise Exception(f"left4me/install: neither 'package' nor 'checkout': {install!r}")

actions = {
    'left4me_daemon_reload': {
        'command': 'systemctl daemon-reload',
        'triggered': True,
        'cascade_skip': False,
        'needs': [program],
    },
}

if install == 'checkout':
    actions['left4me_install'] = {
        # A new checkout has no build/. What has failed half-way is tried again by the next apply.
        'command': (
            f'cd {CHECKOUT} && deploy/packages build && make all && make install && '
            'systemd-sysusers && systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/left4me.conf && '
            '/usr/lib/systemd/systemd-sysctl 99-left4me.conf && touch build/installed'
        ),
        'unless': f'test -e {CHECKOUT}/build/installed',
        'cascade_skip': False,
        'needs': [f'git_deploy:{CHECKOUT}'],
        'triggers': [RELOAD],
    }

svc_systemd = {
    # A reload starts nothing. The generator makes the link for boot; a generated unit cannot be enabled.
    'left4me.target': {
        'enabled': None,
        'running': True,
        'needs': [RELOAD],
    },
}
