# AWS tools that fail to load.

throw 'Could not load file or assembly AWSSDK.Core'
