import exported from './index.js';

export const {
  DockerServer, DockerClient, DockerExecServer, DockerExecClient, errorCodes,
} = exported;
export default exported;
